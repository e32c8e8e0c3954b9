"""Names and words that test data is made of: plain ASCII, so that they can stand anywhere, in a header too."""

_FIRST_NAMES = """
Ada Aisha Alba Amara Amir Ana Anders Aoife Arjun Astrid Ayo Beatriz Bilal Bjorn Camila Carlos Chen Chiara Clara Daan
Dalia David Diego Elena Elif Emeka Emil Emma Esther Farid Fatima Felix Freya Gabriel Giulia Grace Hana Hannah Hassan
Hugo Ibrahim Ida Ines Ingrid Ivan Jamal James Jana Jin Joao Jonas Julia Kaya Kenji Klara Kwame Lars Layla Leila Leo
Lin Lucia Luis Magnus Maja Malik Maria Marta Mateo Maya Mehmet Mei Mila Milan Mina Mohammed Nadia Naomi Nina Noah
Noor Nora Oksana Olga Olivia Omar Oscar Otto Paula Pavel Petra Priya Rafael Rania Ravi Rosa Ruth Samir Sana Sara
Selma Sofia Stefan Sunita Sven Tariq Tessa Theo Thomas Tomas Uma Vera Victor Wanjiru Wei Yara Yuki Yusuf Zainab Zoe
"""

_LAST_NAMES = """
Abdi Adeyemi Ahmed Alvarez Andersen Bakker Banerjee Baptiste Becker Berg Bianchi Brown Castro Chanda Chavez Chen
Clarke Costa Cruz Dahl Davies Diallo Dias Dubois Eriksen Esposito Evans Farah Fernandez Ferrari Fischer Fontaine
Garcia Ghosh Gomez Gonzalez Greco Gupta Haddad Hansen Hassan Hernandez Hoffmann Horvat Hughes Huang Ibrahim Ito
Ivanov Jansen Jensen Johansson Jones Kamau Kaplan Kato Keller Khan Kim Klein Kowalski Kumar Larsen Laurent Lee Lewis
Li Lopez Lund Martin Martinez Mbeki Mehta Mendes Meyer Molina Moreau Morgan Moreno Mori Mueller Mwangi Nakamura
Ncube Nguyen Nielsen Novak Okafor Okoye Olsen Osei Park Patel Pereira Perez Petrov Petit Popescu Ramirez Rao Reyes
Ricci Roberts Rossi Rousseau Ruiz Saito Sanchez Santos Sato Schmidt Schneider Sharma Silva Singh Smith Sokolov
Suzuki Tanaka Taylor Torres Tran Turner Valdez Vargas Visser Wagner Walker Wang Weber White Wilson Wolf Wood Wright
Yamada Yilmaz Young Zhang
"""

_WORDS = """
about above across after again air all along also always and another any apple area around ask back ball bank base
be because been before began being below best better between big bird blue boat body book both box boy bring brought
build but by call came can car care carry change city clear close cold color come common could country cover cut day
deep did does door down draw dry each early earth east eat eight end enough even ever every example eye face fall
family far farm fast feet few field figure fill find fire first fish five fly follow food form found four free
friend from front full game gave get girl give go gold good got grass great green ground group grow had half hand
happen hard have head hear heat help here high hold home horse hot hour house hundred idea inch island its just keep
kind king knew know land large last late laugh lead learn leave left less letter life light like line list little
live long look low machine main make man many map mark may mean measure men might mile mind minute money moon more
morning most mother mountain move much music must name near need never new next night nine north note notice number
object ocean of off often old once one only open order other our out over own page paper part pass people picture
place plain plan plant play point port pose power press product
"""

FIRST_NAMES = tuple(_FIRST_NAMES.split())
LAST_NAMES = tuple(_LAST_NAMES.split())
WORDS = tuple(_WORDS.split())
